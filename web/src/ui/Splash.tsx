import { Loader, Paper, Stack } from "@mantine/core";
import type { ReactNode } from "react";
import { Logo } from "./Logo";
import classes from "./Splash.module.css";

/** A page of its own for the moments before there is a menu. */
export function Splash({ busy = false, children }: { busy?: boolean; children?: ReactNode }) {
  return (
    <main className={classes.page}>
      <Paper className={classes.card} withBorder radius="lg" p={40}>
        <Stack align="center" gap="xl">
          <h1 className={classes.title}>
            <Logo size={36} />
          </h1>
          {busy ? <Loader type="dots" aria-label="Loading" role="status" /> : children}
        </Stack>
      </Paper>
    </main>
  );
}
