import { Button, Code, Group, Table, Text, VisuallyHidden } from "@mantine/core";
import { IconDownload, IconPackage, IconPlayerPlay } from "@tabler/icons-react";
import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { data } from "@/api/client";
import { useApi } from "@/api/context";
import { download } from "@/api/download";
import { keys, models } from "@/api/queries";
import type { Model } from "@/api/types";
import { Allowed, useCan } from "@/auth/permissions";
import { bytes, duration } from "@/domain/time";
import { Ago } from "@/ui/Ago";
import { Confirm } from "@/ui/Confirm";
import { Empty } from "@/ui/Empty";
import { Loaded } from "@/ui/Loaded";
import { More } from "@/ui/More";
import { done, failed } from "@/ui/notify";
import { Section } from "@/ui/Page";
import { ToneBadge } from "@/ui/Tone";
import { ModelTags } from "./ModelTags";
import { useAssistant } from "./useAssistant";

export function ModelsPage() {
  const { name } = useAssistant();
  const query = useInfiniteQuery(models(useApi(), name));
  return (
    <Allowed to="models.read">
      <Section flush>
        <Loaded query={query}>
          {(list) =>
            list.length ? (
              <>
                <ModelTable name={name} list={list} />
                <More list={query} />
              </>
            ) : (
              <Empty icon={IconPackage} title="No models yet">
                Every finished training adds one. They never change; you can go back to any of them.
              </Empty>
            )
          }
        </Loaded>
      </Section>
    </Allowed>
  );
}

function ModelTable({ name, list }: { name: string; list: Model[] }) {
  const api = useApi();
  const can = useCan();
  const cache = useQueryClient();
  const [asked, setAsked] = useState<Model | null>(null);
  const activate = useMutation({
    mutationFn: (version: string) =>
      data(
        api.rest.POST("/api/v1/assistants/{assistant}/models/{version}/activate", {
          params: { path: { assistant: name, version } },
        }),
      ),
    onSuccess: (model) => {
      setAsked(null);
      done(`Model ${model.version} starts beside the model that answers, then takes over.`);
      void cache.invalidateQueries({ queryKey: keys.models(name) });
    },
    onError: (error) => failed("The model was not activated", error),
  });
  const fetchModel = useMutation({
    mutationFn: (version: string) =>
      download(api, `/assistants/${name}/models/${encodeURIComponent(version)}/download`, `${name}-${version}.tar.gz`),
    onError: (error) => failed("The model was not downloaded", error),
  });
  return (
    <>
      <Table verticalSpacing="md" horizontalSpacing="lg" miw={720}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Model</Table.Th>
            <Table.Th>Trained</Table.Th>
            <Table.Th>Size</Table.Th>
            <Table.Th>Digest</Table.Th>
            <Table.Th>
              <VisuallyHidden>Actions</VisuallyHidden>
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {list.map((model) => (
            <Table.Tr key={model.version}>
              <Table.Td>
                <Group gap="sm">
                  <Text size="sm" fw={model.active ? 600 : 400}>
                    Model {model.version}
                  </Text>
                  {model.active && <ToneBadge tone="good">Active</ToneBadge>}
                </Group>
                {model.parent && (
                  <Text size="xs" c="dimmed">
                    after model {model.parent}
                  </Text>
                )}
                <ModelTags name={name} model={model} />
              </Table.Td>
              <Table.Td>
                <Ago at={model.trained_at} />
                {typeof model.seconds === "number" && (
                  <Text size="xs" c="dimmed">
                    took {duration(model.seconds)}
                  </Text>
                )}
              </Table.Td>
              <Table.Td>{bytes(model.size)}</Table.Td>
              <Table.Td>
                <Code title={model.sha256}>{model.sha256.slice(0, 12)}</Code>
              </Table.Td>
              <Table.Td>
                <Group gap="xs" justify="flex-end" wrap="nowrap">
                  {can("models.activate") && !model.active && (
                    <Button
                      size="xs"
                      variant="light"
                      leftSection={<IconPlayerPlay size={14} aria-hidden />}
                      aria-label={`Activate model ${model.version}`}
                      onClick={() => setAsked(model)}
                    >
                      Activate
                    </Button>
                  )}
                  {can("models.download") && (
                    <Button
                      size="xs"
                      variant="default"
                      leftSection={<IconDownload size={14} aria-hidden />}
                      aria-label={`Download model ${model.version}`}
                      loading={fetchModel.isPending && fetchModel.variables === model.version}
                      onClick={() => fetchModel.mutate(model.version)}
                    >
                      Download
                    </Button>
                  )}
                </Group>
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      <Confirm
        title={`Activate model ${asked?.version ?? ""}?`}
        confirmLabel="Activate model"
        opened={asked !== null}
        busy={activate.isPending}
        onCancel={() => setAsked(null)}
        onConfirm={() => asked && activate.mutate(asked.version)}
      >
        It starts in the free slot and takes over once it is loaded. Conversations go on with it. The assistant stays on
        this version until another one, or “latest”, is activated.
      </Confirm>
    </>
  );
}
