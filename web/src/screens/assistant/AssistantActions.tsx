import { ActionIcon, Menu, Text } from "@mantine/core";
import { IconBolt, IconCode, IconDots, IconTrash } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { type Api, data } from "@/api/client";
import { useApi } from "@/api/context";
import { content, status } from "@/api/queries";
import type { Assistant } from "@/api/types";
import { useCan } from "@/auth/permissions";
import { yamlOf } from "@/domain/yaml";
import { useTrainingRequest } from "@/screens/trainings/RequestTraining";
import { Confirm } from "@/ui/Confirm";
import { done, failed } from "@/ui/notify";

export function AssistantActions({ assistant }: { assistant: Assistant }) {
  const { name, source } = assistant;
  const api = useApi();
  const can = useCan();
  const cache = useQueryClient();
  const navigate = useNavigate();
  const [deleting, setDeleting] = useState(false);
  const path = { assistant: name };

  const train = useTrainingRequest(name);
  const copy = useMutation({
    mutationFn: async () => {
      const { namespace } = await cache.ensureQueryData(status(api));
      const files = await draftFiles(api, name, (await cache.fetchQuery(content(api, name))).draft.files);
      await navigator.clipboard.writeText(yamlOf(assistant, namespace, files));
    },
    onSuccess: () => done("Copied. `kubectl apply` takes it; the content is inside."),
    onError: (error) => failed("The YAML was not copied", error),
  });
  const remove = useMutation({
    mutationFn: () => data(api.rest.DELETE("/api/v1/assistants/{assistant}", { params: { path } })),
    onSuccess: () => {
      done(`${name} is being deleted.`);
      void navigate({ to: "/assistants" });
    },
    onError: (error) => failed(`${name} was not deleted`, error),
  });

  return (
    <>
      <Menu position="bottom-end" width={260}>
        <Menu.Target>
          <ActionIcon variant="subtle" color="gray" aria-label={`More actions for ${name}`}>
            <IconDots size={18} aria-hidden />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          {can("trainings.request") && (
            <Menu.Item leftSection={<IconBolt size={16} aria-hidden />} onClick={() => train.mutate()}>
              Train again
            </Menu.Item>
          )}
          <Menu.Item
            leftSection={<IconCode size={16} aria-hidden />}
            disabled={source !== "studio"}
            onClick={() => copy.mutate()}
          >
            Copy as YAML
            <Text size="xs" c="dimmed">
              {source === "studio" ? "The resource with its content inside" : "Its YAML is where it was applied from"}
            </Text>
          </Menu.Item>
          {can("assistants.delete") && (
            <>
              <Menu.Divider />
              <Menu.Item
                color="red"
                leftSection={<IconTrash size={16} aria-hidden />}
                onClick={() => setDeleting(true)}
              >
                Delete…
              </Menu.Item>
            </>
          )}
        </Menu.Dropdown>
      </Menu>
      <Confirm
        title={`Delete ${name}?`}
        confirmLabel="Delete assistant"
        dangerous
        typed={name}
        opened={deleting}
        busy={remove.isPending}
        onCancel={() => setDeleting(false)}
        onConfirm={() => remove.mutate()}
      >
        It stops answering at once. Whether its models and conversations stay is said by the deletion policy of the
        resource.
      </Confirm>
    </>
  );
}

async function draftFiles(api: Api, name: string, files: { path: string }[]): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const { path } of files) {
    const encoded = path.split("/").map(encodeURIComponent).join("/");
    found[path] = await (await api.raw(`/assistants/${name}/content/files/${encoded}`)).text();
  }
  return found;
}
