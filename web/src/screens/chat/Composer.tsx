import { ActionIcon, Textarea } from "@mantine/core";
import { IconSend } from "@tabler/icons-react";
import { type KeyboardEvent, useRef, useState } from "react";
import classes from "./Chat.module.css";

/** Enter sends, Shift+Enter breaks the line, the arrow up brings back what was said last. */
export function Composer({ busy, onSend }: { busy: boolean; onSend: (text: string) => void }) {
  const [text, setText] = useState("");
  const last = useRef("");
  const send = () => {
    const message = text.trim();
    if (!message || busy) return;
    last.current = message;
    setText("");
    onSend(message);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) {
      event.preventDefault();
      send();
    }
    if (event.key === "ArrowUp" && !text && last.current) {
      event.preventDefault();
      setText(last.current);
    }
  };
  return (
    <form
      className={classes.composer}
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <Textarea
        className={classes.input}
        aria-label="Message"
        placeholder="Type a message"
        autosize
        minRows={1}
        maxRows={6}
        maxLength={4000}
        autoFocus
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
        onKeyDown={onKeyDown}
      />
      <ActionIcon type="submit" size={36} disabled={!text.trim() || busy} aria-label="Send">
        <IconSend size={18} aria-hidden />
      </ActionIcon>
    </form>
  );
}
