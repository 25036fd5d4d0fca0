import { useMantineColorScheme } from "@mantine/core";

const next = { auto: "light", light: "dark", dark: "auto" } as const;
const names = { auto: "System", light: "Light", dark: "Dark" };

/** Light for sun at the cabinet, dark for night in the control room. */
export function SchemeSwitch() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  return (
    <button type="button" className="scheme" onClick={() => setColorScheme(next[colorScheme])} title="Colours: as the system, light or dark">
      <span className="wide-only">Colours: </span>
      {names[colorScheme]}
    </button>
  );
}
