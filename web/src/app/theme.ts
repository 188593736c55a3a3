import { Alert, type CSSVariablesResolver, createTheme, type MantineColorsTuple } from "@mantine/core";

const brand: MantineColorsTuple = [
  "#f0effe",
  "#dfdcfb",
  "#bdb7f4",
  "#998fee",
  "#7a6de8",
  "#6658e4",
  "#5546dc",
  "#473ac2",
  "#3d32a8",
  "#312990",
];
const gray: MantineColorsTuple = [
  "#f7f8fb",
  "#eff1f6",
  "#e3e7ee",
  "#d2d8e2",
  "#b3bccb",
  "#8a96a8",
  "#647085",
  "#4b566a",
  "#313b4d",
  "#1c2433",
];
const dark: MantineColorsTuple = [
  "#dce1ea",
  "#b9c1cf",
  "#97a2b4",
  "#5f6b80",
  "#3a4456",
  "#2a3344",
  "#1f2735",
  "#161c28",
  "#10151f",
  "#0b0f17",
];

/** Alerts have the grounds of theme.css, on which text keeps its contrast. */
const ALERT_TONES: Record<string, string> = { red: "bad", orange: "warning" };

export const theme = createTheme({
  primaryColor: "brand",
  primaryShade: { light: 6, dark: 6 },
  colors: { brand, gray, dark },
  fontFamily: '"Inter Variable", system-ui, sans-serif',
  fontFamilyMonospace: '"JetBrains Mono Variable", ui-monospace, monospace',
  headings: { fontFamily: '"Inter Variable", system-ui, sans-serif', fontWeight: "650" },
  defaultRadius: "md",
  cursorType: "pointer",
  respectReducedMotion: true,
  components: {
    Tooltip: {
      defaultProps: {
        withArrow: true,
        openDelay: 300,
        multiline: true,
        maw: 360,
        events: { hover: true, focus: true, touch: true },
      },
    },
    Modal: {
      defaultProps: {
        centered: true,
        closeButtonProps: { "aria-label": "Close" },
        overlayProps: { backgroundOpacity: 0.45, blur: 2 },
      },
    },
    Table: { defaultProps: { borderColor: "var(--border)" } },
    Alert: Alert.extend({
      vars: (_, { color }) => {
        const tone = ALERT_TONES[String(color)] ?? "idle";
        return {
          root: {
            "--alert-bg": `var(--tone-${tone}-soft)`,
            "--alert-color": `var(--tone-${tone})`,
            "--alert-bd": "1px solid var(--border)",
          },
        };
      },
    }),
    Badge: { defaultProps: { variant: "light", radius: "sm" } },
  },
});

/** Text and links keep a contrast of 4.5:1 on every ground of theme.css; the library's own greys do not. */
export const variables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    "--mantine-color-text": "#1c2433",
    "--mantine-color-dimmed": "#566176",
    "--mantine-color-placeholder": "#6c778b",
    "--mantine-color-body": "#ffffff",
    "--mantine-color-anchor": "#4a3dc6",
    "--mantine-color-brand-light": "#ecebfd",
    "--mantine-color-brand-light-hover": "#e0defb",
    "--mantine-color-brand-light-color": "#4639bd",
  },
  dark: {
    "--mantine-color-dimmed": "#a0aabb",
    "--mantine-color-placeholder": "#8793a6",
    "--mantine-color-body": "#161c28",
    "--mantine-color-anchor": "#b1a9f7",
    "--mantine-color-brand-light": "#272350",
    "--mantine-color-brand-light-hover": "#312c64",
    "--mantine-color-brand-light-color": "#c5befa",
  },
});
