import { Group, Stack, Text, Title } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import type { ReactNode } from "react";
import classes from "./Page.module.css";

interface Props {
  title: string;
  description?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
}

/** A page with its heading, what it is for, and what can be done on it. */
export function Page({ title, description, actions, children }: Props) {
  useDocumentTitle(`${title} · Studio`);
  return (
    <div className={classes.page}>
      <Group justify="space-between" align="flex-start" gap="md" className={classes.head}>
        <Stack gap={4}>
          <Title order={1} size="h2">
            {title}
          </Title>
          {description && (
            <Text c="dimmed" size="sm" maw="44rem" component="div">
              {description}
            </Text>
          )}
        </Stack>
        {actions && <Group gap="sm">{actions}</Group>}
      </Group>
      {children}
    </div>
  );
}

/** A part of a page on its own ground. */
export function Section({
  title,
  actions,
  children,
  flush = false,
}: {
  title?: string;
  actions?: ReactNode;
  children: ReactNode;
  flush?: boolean;
}) {
  return (
    <section className={classes.section} aria-label={title}>
      {(title || actions) && (
        <Group justify="space-between" className={classes.sectionHead} wrap="nowrap">
          {title && (
            <Title order={2} size="h5">
              {title}
            </Title>
          )}
          {actions}
        </Group>
      )}
      <div className={flush ? classes.flush : classes.body}>{children}</div>
    </section>
  );
}
