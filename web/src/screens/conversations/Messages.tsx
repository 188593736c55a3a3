import { IconFlag } from "@tabler/icons-react";
import type { ConversationDetail, TrackerEvent } from "@/api/types";
import { clockTime } from "@/domain/time";
import { turnsOf } from "@/domain/tracker";
import classes from "./Conversations.module.css";

interface Props {
  conversation: ConversationDetail;
  turn: number;
  onTurn: (turn: number) => void;
}

/** What was said, in order; a message of the user opens its turn in the inspector. */
export function Messages({ conversation: { events, flag_list }, turn, onTurn }: Props) {
  const flagged = new Set(flag_list.filter(({ resolved_at }) => !resolved_at).map(({ event_seq }) => event_seq));
  return (
    <ol className={classes.messages} aria-label="Messages">
      {turnsOf(events).flatMap(({ events }, place) =>
        events
          .filter(({ type }) => type === "user" || type === "bot")
          .map((event) => (
            <Message
              key={event.seq}
              event={event}
              flagged={flagged.has(event.seq)}
              chosen={place === turn && event.type === "user"}
              onChoose={() => onTurn(place)}
            />
          )),
      )}
    </ol>
  );
}

interface MessageProps {
  event: TrackerEvent;
  flagged: boolean;
  chosen: boolean;
  onChoose: () => void;
}

function Message({ event, flagged, chosen, onChoose }: MessageProps) {
  const text = event.text || (event.type === "bot" ? "(no text)" : "(empty message)");
  return (
    <li className={classes.message} data-by={event.type} data-chosen={chosen ? "" : undefined}>
      {event.type === "user" ? (
        <button type="button" className={classes.bubble} onClick={onChoose} aria-current={chosen}>
          {text}
        </button>
      ) : (
        <div className={classes.bubble}>{text}</div>
      )}
      <span className={classes.meta}>
        {flagged && <IconFlag size={14} className={classes.flag} role="img" aria-label="Flagged" />}
        {event.intent && (
          <span>
            {event.intent} {event.confidence?.toFixed(2)}
          </span>
        )}
        <time dateTime={event.at}>{clockTime(event.at)}</time>
      </span>
    </li>
  );
}
