import { ActionIcon, Button, Code, Drawer, Group, Stack, Text } from "@mantine/core";
import { IconDownload, IconHistory } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useApi } from "@/api/context";
import { download } from "@/api/download";
import { revisions } from "@/api/queries";
import { Ago } from "@/ui/Ago";
import { Empty } from "@/ui/Empty";
import { Loaded } from "@/ui/Loaded";
import { More } from "@/ui/More";
import { failed } from "@/ui/notify";

export function Revisions({ name }: { name: string }) {
  const [opened, setOpened] = useState(false);
  return (
    <>
      <Button variant="default" leftSection={<IconHistory size={16} aria-hidden />} onClick={() => setOpened(true)}>
        Revisions
      </Button>
      <Drawer opened={opened} onClose={() => setOpened(false)} position="right" title={`Revisions of ${name}`}>
        {opened && <RevisionList name={name} />}
      </Drawer>
    </>
  );
}

function RevisionList({ name }: { name: string }) {
  const api = useApi();
  const query = useInfiniteQuery(revisions(api, name));
  const fetchZip = (revision: number) =>
    download(api, `/assistants/${name}/content/archive?revision=${revision}`, `${name}-${revision}.zip`).catch(
      (error) => failed("The revision was not downloaded", error),
    );
  return (
    <Loaded query={query}>
      {(list) =>
        list.length ? (
          <Stack gap="lg">
            {list.map(({ revision, published_at, published_by, message, sha256 }) => (
              <Group key={revision} justify="space-between" wrap="nowrap" align="flex-start">
                <div>
                  <Text size="sm" fw={600}>
                    Revision {revision}
                  </Text>
                  <Text size="sm">{message || "No message"}</Text>
                  <Text size="xs" c="dimmed">
                    {published_by}, <Ago at={published_at} /> · <Code>{sha256.slice(0, 10)}</Code>
                  </Text>
                </div>
                <ActionIcon
                  variant="default"
                  aria-label={`Download revision ${revision}`}
                  onClick={() => void fetchZip(revision)}
                >
                  <IconDownload size={16} aria-hidden />
                </ActionIcon>
              </Group>
            ))}
            <More list={query} />
          </Stack>
        ) : (
          <Empty icon={IconHistory} title="Nothing is published">
            Publish the draft to make the first revision.
          </Empty>
        )
      }
    </Loaded>
  );
}
