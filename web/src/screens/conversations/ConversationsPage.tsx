import { Badge, Group, Table, Text, Tooltip } from "@mantine/core";
import { IconFlag, IconMessages } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useApi } from "@/api/context";
import { conversations } from "@/api/queries";
import type { Conversation } from "@/api/types";
import { Allowed } from "@/auth/permissions";
import { countOf } from "@/domain/filters";
import { isTrial, senderName } from "@/domain/senders";
import { Ago } from "@/ui/Ago";
import { Empty } from "@/ui/Empty";
import { Loaded } from "@/ui/Loaded";
import { More } from "@/ui/More";
import { Page, Section } from "@/ui/Page";
import { RefreshButton } from "@/ui/RefreshButton";
import classes from "./Conversations.module.css";
import { Filters } from "./Filters";

const route = getRouteApi("/conversations");

export function ConversationsPage() {
  return (
    <Allowed to="conversations.read">
      <Listing />
    </Allowed>
  );
}

function Listing() {
  const filters = route.useSearch();
  const navigate = route.useNavigate();
  const query = useInfiniteQuery(conversations(useApi(), filters));
  return (
    <Page
      title="Conversations"
      description="What people said and what was understood, the newest first. The filters are in the address: share it."
      actions={<RefreshButton query={query} />}
    >
      <Filters filters={filters} onChange={(next) => void navigate({ search: next, replace: true })} />
      <Section flush>
        <Loaded query={query}>
          {(list) =>
            list.length ? (
              <>
                <Rows list={list} />
                <More list={query} />
              </>
            ) : (
              <Empty icon={IconMessages} title={countOf(filters) ? "No conversation matches" : "No conversations yet"}>
                {countOf(filters)
                  ? "Loosen or clear the filters."
                  : "Talk to an assistant: its events are stored as they happen, and appear here."}
              </Empty>
            )
          }
        </Loaded>
      </Section>
    </Page>
  );
}

const UNSURE = 0.6;

function Rows({ list }: { list: Conversation[] }) {
  return (
    <Table verticalSpacing="sm" horizontalSpacing="lg" highlightOnHover miw={820}>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>Conversation</Table.Th>
          <Table.Th>Assistant</Table.Th>
          <Table.Th>Messages</Table.Th>
          <Table.Th>Least sure</Table.Th>
          <Table.Th>Last event</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {list.map((conversation) => (
          <Row key={conversation.id} conversation={conversation} />
        ))}
      </Table.Tbody>
    </Table>
  );
}

function Row({ conversation }: { conversation: Conversation }) {
  const { id, assistant_id, sender_id, channel, tags, flags, preview, user_messages, bot_messages, min_confidence } =
    conversation;
  return (
    <Table.Tr>
      <Table.Td maw={420}>
        <Group gap={8} wrap="nowrap">
          {flags > 0 && (
            <Tooltip label={flags === 1 ? "1 open flag" : `${flags} open flags`}>
              <IconFlag size={16} className={classes.flag} role="img" aria-label={`${flags} open flags`} />
            </Tooltip>
          )}
          <Link to="/conversations/$id" params={{ id: String(id) }} className={classes.preview}>
            {preview || "(no message)"}
          </Link>
        </Group>
        <Group gap={6} mt={4}>
          <Text size="xs" c="dimmed">
            {senderName(sender_id)} {isTrial(sender_id) ? "· trial" : channel && `· ${channel}`}
          </Text>
          {tags.map((tag) => (
            <Badge key={tag} size="xs" variant="default" tt="none">
              {tag}
            </Badge>
          ))}
        </Group>
      </Table.Td>
      <Table.Td>
        <Text size="sm">{assistant_id.split(".").at(-1)}</Text>
      </Table.Td>
      <Table.Td>
        <Text size="sm">
          {user_messages}{" "}
          <Text span c="dimmed">
            in
          </Text>{" "}
          · {bot_messages}{" "}
          <Text span c="dimmed">
            out
          </Text>
        </Text>
      </Table.Td>
      <Table.Td>
        {min_confidence === null ? (
          <Text size="sm" c="dimmed">
            –
          </Text>
        ) : (
          <Text size="sm" className={min_confidence < UNSURE ? classes.unsure : undefined}>
            {min_confidence.toFixed(2)}
          </Text>
        )}
      </Table.Td>
      <Table.Td>
        <Ago at={conversation.last_event_at} />
      </Table.Td>
    </Table.Tr>
  );
}
