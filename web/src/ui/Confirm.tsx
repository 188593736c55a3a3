import { Button, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { type ReactNode, useState } from "react";

interface Props {
  title: string;
  children: ReactNode;
  confirmLabel: string;
  dangerous?: boolean;
  /** To be typed before something is destroyed. */
  typed?: string;
  opened: boolean;
  busy?: boolean;
  onCancel: () => void;
  onConfirm: () => void;
}

/** Asks before something that cannot be taken back. */
export function Confirm({ title, children, confirmLabel, dangerous, typed, opened, busy, onCancel, onConfirm }: Props) {
  const [text, setText] = useState("");
  return (
    <Modal opened={opened} onClose={onCancel} title={title} onExitTransitionEnd={() => setText("")}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          onConfirm();
        }}
      >
        <Stack>
          <Text size="sm" component="div">
            {children}
          </Text>
          {typed && (
            <TextInput
              label={`Type ${typed} to confirm`}
              value={text}
              onChange={(event) => setText(event.currentTarget.value)}
              data-autofocus
              autoComplete="off"
            />
          )}
          <Group justify="flex-end" gap="sm">
            <Button variant="default" onClick={onCancel}>
              Cancel
            </Button>
            <Button
              type="submit"
              color={dangerous ? "red.8" : undefined}
              loading={busy}
              disabled={typed !== undefined && text !== typed}
              data-autofocus={typed ? undefined : true}
            >
              {confirmLabel}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
