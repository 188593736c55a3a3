import { Stack } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useApi } from "@/api/context";
import { ApiError } from "@/api/problem";
import { conversation as conversationQuery } from "@/api/queries";
import type { ConversationDetail } from "@/api/types";
import { Allowed, useCan } from "@/auth/permissions";
import { isTrial, senderName } from "@/domain/senders";
import { exact } from "@/domain/time";
import { turnsOf } from "@/domain/tracker";
import { Inspector } from "@/screens/inspector/Inspector";
import { ErrorPanel } from "@/ui/ErrorPanel";
import { NotFound } from "@/ui/NotFound";
import { Page, Section } from "@/ui/Page";
import { ListSkeleton } from "@/ui/PageSkeleton";
import { RefreshButton } from "@/ui/RefreshButton";
import classes from "./Conversations.module.css";
import { DeleteConversation } from "./DeleteConversation";
import { Flags } from "./Flags";
import { Messages } from "./Messages";
import { Tags } from "./Tags";

const route = getRouteApi("/conversations/$id");

export function ConversationPage() {
  const { id } = route.useParams();
  const query = useQuery(conversationQuery(useApi(), Number(id)));
  const { data, error, refetch } = query;
  const can = useCan();
  if (error instanceof ApiError && error.status === 404) return <NotFound />;
  return (
    <Allowed to="conversations.read">
      <Page
        title={data ? `Conversation with ${senderName(data.sender_id)}` : "Conversation"}
        description={data && <Summary conversation={data} />}
        actions={
          <>
            <RefreshButton query={query} />
            {data && can("conversations.delete") && <DeleteConversation conversation={data} />}
          </>
        }
      >
        {error && <ErrorPanel error={error} onRetry={() => void refetch()} />}
        {data ? <Body conversation={data} /> : !error && <ListSkeleton />}
      </Page>
    </Allowed>
  );
}

function Summary({ conversation }: { conversation: ConversationDetail }) {
  const { assistant_id, sender_id, channel, started_at, last_event_at } = conversation;
  const name = assistant_id.split(".").at(-1) ?? assistant_id;
  return (
    <>
      {isTrial(sender_id) && "a trial "}of{" "}
      <Link to="/conversations" search={{ assistant: name }}>
        {name}
      </Link>
      {channel && ` by ${channel}`}, {exact(started_at)} to {exact(last_event_at)}
    </>
  );
}

function Body({ conversation }: { conversation: ConversationDetail }) {
  const { event } = route.useSearch();
  const navigate = route.useNavigate();
  const { events } = conversation;
  const turns = turnsOf(events);
  const found = turns.findIndex((turn) => turn.events.some(({ seq }) => seq === event));
  const turn = found >= 0 ? found : turns.length - 1;
  const choose = (place: number) => {
    const first = turns[place]?.message ?? turns[place]?.events[0];
    if (first) void navigate({ search: { event: first.seq }, replace: true, resetScroll: false });
  };
  return (
    <div className={classes.columns}>
      <Section title="Messages" flush>
        <Messages conversation={conversation} turn={turn} onTurn={choose} />
      </Section>
      <Stack gap="lg">
        <Section title="Tags">
          <Tags conversation={conversation} />
        </Section>
        <Section title="Flags">
          <Flags conversation={conversation} eventSeq={turns[turn]?.message?.seq ?? null} />
        </Section>
        <Section title="Inspector">
          <Inspector events={events} turn={turn} onTurn={choose} />
        </Section>
      </Stack>
    </div>
  );
}
