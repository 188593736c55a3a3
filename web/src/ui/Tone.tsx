import { Badge, type BadgeProps } from "@mantine/core";
import type { ReactNode } from "react";
import type { Tone } from "@/domain/health";
import classes from "./Tone.module.css";

/** A state as a word with a coloured ground; the word alone says it, too. */
export function ToneBadge({ tone, children, ...rest }: { tone: Tone; children: ReactNode } & BadgeProps) {
  return (
    <Badge
      {...rest}
      tt="none"
      radius="xl"
      className={classes.badge}
      data-tone={tone}
      leftSection={<span className={classes.dot} data-tone={tone} aria-hidden />}
    >
      {children}
    </Badge>
  );
}

export function ToneDot({ tone }: { tone: Tone }) {
  return <span className={classes.dot} data-tone={tone} aria-hidden />;
}
