import { ActionIcon, AppShell, Box, Burger, Group, Menu, Text, Tooltip, useMantineColorScheme } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconDeviceDesktop, IconLogout, IconMoon, IconSun } from "@tabler/icons-react";
import { Outlet, useRouterState } from "@tanstack/react-router";
import { Suspense, useEffect, useRef } from "react";
import { useAuth } from "react-oidc-context";
import { type Liveness, useLiveAssistants } from "@/api/live";
import { useMe } from "@/auth/permissions";
import { Logo } from "@/ui/Logo";
import { PageSkeleton } from "@/ui/PageSkeleton";
import { Navigation } from "./Navigation";
import classes from "./Shell.module.css";

/** The frame around every page: menu, main part, and the one stream of live state. */
export function Shell() {
  const [opened, { toggle, close }] = useDisclosure(false);
  const liveness = useLiveAssistants();
  const main = useRef<HTMLElement>(null);
  const path = useRouterState({ select: (state) => state.location.pathname });
  const first = useRef(path);

  useEffect(() => {
    close();
    // A new page is announced and read from its beginning; the first one keeps the browser's own focus.
    if (path !== first.current) main.current?.focus({ preventScroll: true });
    first.current = path;
  }, [path, close]);

  return (
    <AppShell
      navbar={{ width: 232, breakpoint: "sm", collapsed: { mobile: !opened } }}
      header={{ height: { base: 52, sm: 0 } }}
      padding={0}
      classNames={{ navbar: classes.navbar, main: classes.main, header: classes.header }}
    >
      <a className={classes.skip} href="#main">
        Skip to the content
      </a>
      <AppShell.Header hiddenFrom="sm">
        <Group h="100%" px="md" justify="space-between">
          <Logo />
          <Burger opened={opened} onClick={toggle} size="sm" aria-label={opened ? "Close the menu" : "Open the menu"} />
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="sm" aria-label="Main menu">
        <Box visibleFrom="sm" px="xs" py="sm">
          <Logo />
        </Box>
        <Navigation />
        <Foot liveness={liveness} />
      </AppShell.Navbar>
      <AppShell.Main id="main" ref={main} tabIndex={-1}>
        <Suspense fallback={<PageSkeleton />}>
          <Outlet />
        </Suspense>
      </AppShell.Main>
    </AppShell>
  );
}

const LIVENESS: Record<Liveness, { label: string; detail: string }> = {
  connecting: { label: "Connecting", detail: "The stream of changes is being opened." },
  live: { label: "Live", detail: "Changes appear by themselves." },
  broken: { label: "Reconnecting", detail: "Changes do not arrive at the moment. What you see may be old." },
};

function Foot({ liveness }: { liveness: Liveness }) {
  const { label, detail } = LIVENESS[liveness];
  return (
    <div className={classes.foot}>
      <Tooltip label={detail}>
        <Group gap={8} px="xs" role="status" className={classes.live} data-state={liveness}>
          <span className={classes.dot} aria-hidden />
          <Text size="xs" c="dimmed">
            {label}
          </Text>
        </Group>
      </Tooltip>
      <Group justify="space-between" wrap="nowrap" gap="xs">
        <Person />
        <SchemeSwitch />
      </Group>
    </div>
  );
}

function Person() {
  const auth = useAuth();
  const person = useMe();
  const shown = person.name || person.username;
  return (
    <Menu position="top-start" width={240} withinPortal>
      <Menu.Target>
        <button type="button" className={classes.person}>
          <span className={classes.initials} aria-hidden data-initials={initialsOf(shown)} />
          <Text size="sm" fw={550} truncate>
            {shown}
          </Text>
        </button>
      </Menu.Target>
      <Menu.Dropdown>
        <Box px="sm" py={6}>
          <Text size="sm" fw={600}>
            {shown}
          </Text>
          <Text size="xs" c="dimmed">
            {person.email || person.username}
          </Text>
          <Text size="xs" c="dimmed" mt={4}>
            {person.roles.length ? `Roles: ${person.roles.join(", ")}` : "No role in this Studio"}
          </Text>
        </Box>
        <Menu.Divider />
        <Menu.Item leftSection={<IconLogout size={16} aria-hidden />} onClick={() => auth.signoutRedirect()}>
          Sign out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

function initialsOf(name: string): string {
  const words = name.trim().split(/\s+/);
  return [words[0], words.length > 1 ? words.at(-1) : ""]
    .map((word) => word?.charAt(0) ?? "")
    .join("")
    .toUpperCase();
}

const SCHEMES = {
  auto: { next: "light", icon: IconDeviceDesktop, label: "Colours follow the system. Switch to light" },
  light: { next: "dark", icon: IconSun, label: "Light colours. Switch to dark" },
  dark: { next: "auto", icon: IconMoon, label: "Dark colours. Follow the system again" },
} as const;

function SchemeSwitch() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const { next, icon: Icon, label } = SCHEMES[colorScheme];
  return (
    <Tooltip label={label}>
      <ActionIcon variant="subtle" color="gray" size="lg" aria-label={label} onClick={() => setColorScheme(next)}>
        <Icon size={18} aria-hidden />
      </ActionIcon>
    </Tooltip>
  );
}
