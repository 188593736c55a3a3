import { Button, Group, Text, TextInput } from "@mantine/core";
import { IconMessagePlus } from "@tabler/icons-react";
import { getRouteApi } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { Allowed } from "@/auth/permissions";
import { turnsOf } from "@/domain/tracker";
import { useAssistant } from "@/screens/assistant/useAssistant";
import { Inspector } from "@/screens/inspector/Inspector";
import { Section } from "@/ui/Page";
import { ToneBadge } from "@/ui/Tone";
import classes from "./Chat.module.css";
import { Composer } from "./Composer";
import { Messages } from "./Messages";
import { newSender, SENDER } from "./transcript";
import { type EventState, useChat } from "./useChat";

const route = getRouteApi("/assistants/$name/try");

/** Try your assistant. The sender is in the address: a reload goes on with the same chat. */
export function ChatPage() {
  const { sender } = route.useSearch();
  const navigate = route.useNavigate();
  const start = (next: string) => void navigate({ search: { sender: next }, replace: true });

  // biome-ignore lint/correctness/useExhaustiveDependencies: only when the address names nobody
  useEffect(() => {
    if (!sender) start(newSender());
  }, [sender]);

  return <Allowed to="chat.use">{sender && <Chat key={sender} sender={sender} onSender={start} />}</Allowed>;
}

const EVENT_STATES: Record<EventState, { tone: "good" | "busy" | "warning"; label: string }> = {
  current: { tone: "good", label: "Up to date" },
  waiting: { tone: "busy", label: "Events on their way" },
  late: { tone: "warning", label: "Events are late" },
};

function Chat({ sender, onSender }: { sender: string; onSender: (sender: string) => void }) {
  const { name, available } = useAssistant();
  const chat = useChat(name, sender);
  const turns = turnsOf(chat.events);
  const [chosen, setChosen] = useState<number | null>(null);
  const last = turns.length - 1;
  const turn = Math.min(chosen ?? last, last);
  const { tone, label } = EVENT_STATES[chat.eventState];
  return (
    <div className={classes.columns}>
      <Section
        title="Chat"
        flush
        actions={
          <Group gap="sm" wrap="nowrap">
            <Sender key={sender} sender={sender} onSender={onSender} />
            <Button
              size="xs"
              variant="default"
              leftSection={<IconMessagePlus size={14} aria-hidden />}
              onClick={() => onSender(newSender())}
            >
              Start over
            </Button>
          </Group>
        }
      >
        <div className={classes.chat}>
          <Messages chat={chat} available={available} onChoose={(user) => setChosen(turnOf(turns, user))} />
          <Composer
            busy={chat.sending}
            onSend={(text) => {
              setChosen(null);
              void chat.send(text);
            }}
          />
        </div>
      </Section>
      <Section
        title="Inspector"
        actions={
          <span role="status">
            <ToneBadge tone={tone}>{label}</ToneBadge>
          </span>
        }
      >
        {turns.length ? (
          <Inspector events={chat.events} turn={turn} onTurn={setChosen} />
        ) : (
          <Text size="sm" c="dimmed">
            Say something: what the engine understood, the slots and every event appear here.
          </Text>
        )}
        {chat.eventState === "late" && (
          <Text size="sm" c="dimmed" mt="md">
            The answer is there, its events are not stored yet. The System page shows how far ingestion is behind.
          </Text>
        )}
      </Section>
    </div>
  );
}

/** The turn of the n-th message of the user. */
function turnOf(turns: ReturnType<typeof turnsOf>, user: number): number | null {
  const withMessage = turns.flatMap((turn, place) => (turn.message ? [place] : []));
  return withMessage[user] ?? null;
}

function Sender({ sender, onSender }: { sender: string; onSender: (sender: string) => void }) {
  const [text, setText] = useState(sender);
  const wrong = !SENDER.test(text);
  const take = () => !wrong && text !== sender && onSender(text);
  return (
    <TextInput
      size="xs"
      w={190}
      value={text}
      error={wrong}
      aria-label="Sender: the name of this conversation"
      leftSection={
        <Text size="xs" c="dimmed">
          as
        </Text>
      }
      onChange={(event) => setText(event.currentTarget.value)}
      onBlur={take}
      onKeyDown={(event) => event.key === "Enter" && take()}
    />
  );
}
