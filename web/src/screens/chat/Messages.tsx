import { Alert, Button, Code, Group, Loader, Text } from "@mantine/core";
import { IconMessageCircle } from "@tabler/icons-react";
import { useEffect, useRef } from "react";
import { Empty } from "@/ui/Empty";
import { ErrorPanel } from "@/ui/ErrorPanel";
import classes from "./Chat.module.css";
import type { Said } from "./transcript";
import type { Chat } from "./useChat";

interface Props {
  chat: Chat;
  available: boolean;
  /** A message of the user was chosen for inspection; its number among the user's messages. */
  onChoose: (user: number) => void;
}

export function Messages({ chat, available, onChoose }: Props) {
  const { said, sending, error, send } = chat;
  const box = useRef<HTMLDivElement>(null);

  // biome-ignore lint/correctness/useExhaustiveDependencies: every new message moves the end
  useEffect(() => {
    box.current?.scrollTo({ top: box.current.scrollHeight });
  }, [said, sending, error]);

  let user = -1;
  const newest = said.at(-1);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region has to be reachable by keyboard
    <div ref={box} className={classes.transcript} role="log" aria-label="Messages" tabIndex={0}>
      {!said.length && error === null && (
        <Empty icon={IconMessageCircle} title="Say hello">
          {available
            ? "Type a message below and press Enter."
            : "No model answers yet: it will when a training is through."}
        </Empty>
      )}
      {said.map((each) => {
        if (each.by === "user") user += 1;
        const number = user;
        return each.by === "user" ? (
          <button
            key={each.key}
            type="button"
            className={classes.mine}
            onClick={() => onChoose(number)}
            title="Inspect"
          >
            {each.text}
          </button>
        ) : (
          <Reply key={each.key} said={each} active={each === newest && !sending} onButton={send} />
        );
      })}
      {sending && <Loader type="dots" size="sm" className={classes.typing} aria-label="The assistant is answering" />}
      {error !== null && <ErrorPanel error={error} title="The message was not answered" />}
    </div>
  );
}

interface ReplyProps {
  said: Said;
  active: boolean;
  onButton: (payload: string, title: string) => unknown;
}

function Reply({ said, active, onButton }: ReplyProps) {
  const { text, image, buttons, custom } = said;
  return (
    <div className={classes.reply}>
      {text && <div className={classes.theirs}>{text}</div>}
      {image && (
        <Alert variant="light" p="xs" className={classes.theirs}>
          <Text size="xs">
            An image:{" "}
            <a href={image} target="_blank" rel="noreferrer">
              {image}
            </a>
          </Text>
        </Alert>
      )}
      {custom !== null && <Code block>{JSON.stringify(custom, null, 2)}</Code>}
      {buttons.length > 0 && (
        <Group gap={8}>
          {buttons.map(({ title, payload }) => (
            <Button
              key={payload}
              size="xs"
              radius="xl"
              variant="outline"
              disabled={!active}
              onClick={() => onButton(payload, title)}
            >
              {title}
            </Button>
          ))}
        </Group>
      )}
    </div>
  );
}
