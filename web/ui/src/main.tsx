import { MantineProvider } from "@mantine/core";
import "@mantine/core/styles.css";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { ApiError } from "./api/client";
import { DraftProvider } from "./draft/context";
import { LiveProvider } from "./live/context";
import { router } from "./router";
import "./styles/base.css";
import "./styles/parts.css";
import "./styles/tags.css";
import { theme } from "./theme";

const nonce = document.querySelector<HTMLMetaElement>("meta[property=csp-nonce]")?.nonce ?? "";

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // What the gateway refused is not asked again; what did not arrive is.
      retry: (times, error) => !(error instanceof ApiError) && times < 2,
      refetchOnWindowFocus: false,
    },
  },
});

const root = document.getElementById("root");
if (root === null) {
  throw new Error("index.html has no root");
}
createRoot(root).render(
  <StrictMode>
    <MantineProvider theme={theme} defaultColorScheme="auto" getStyleNonce={() => nonce}>
      <QueryClientProvider client={queries}>
        <LiveProvider>
          <DraftProvider>
            <RouterProvider router={router} />
          </DraftProvider>
        </LiveProvider>
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
