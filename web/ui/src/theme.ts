import { createTheme, type MantineColorsTuple } from "@mantine/core";

// One accent. Everything else is grey, and colour is for what is wrong.
const accent: MantineColorsTuple = ["#edf3fc", "#d8e4f6", "#adc6ec", "#7fb0ff", "#5b91e0", "#3a77cf", "#1f5fbf", "#1a52a6", "#15448b", "#0e3066"];

export const theme = createTheme({
  primaryColor: "accent",
  primaryShade: { light: 6, dark: 6 },
  colors: { accent },
  fontFamily: "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif",
  fontFamilyMonospace: "ui-monospace, 'Cascadia Mono', 'Liberation Mono', monospace",
  fontSizes: { xs: "12px", sm: "13px", md: "14px", lg: "16px", xl: "18px" },
  defaultRadius: "sm",
  respectReducedMotion: true,
});
