import { Button, FileButton, List, Menu, Text } from "@mantine/core";
import { IconDownload, IconFileZip, IconUpload } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { useApi } from "@/api/context";
import { download } from "@/api/download";
import { keys } from "@/api/queries";
import type { DraftPaths } from "@/api/types";
import { useCan } from "@/auth/permissions";
import { Confirm } from "@/ui/Confirm";
import { done, failed } from "@/ui/notify";

/** The whole draft as a zip archive, out and in. */
export function ArchiveActions({ name, empty }: { name: string; empty: boolean }) {
  const api = useApi();
  const can = useCan();
  const cache = useQueryClient();
  const [chosen, setChosen] = useState<File | null>(null);
  const resetInput = useRef<() => void>(null);
  const path = `/assistants/${name}/content/archive`;
  const upload = useMutation({
    mutationFn: async (file: File) => {
      const headers = { "Content-Type": "application/zip" };
      return (await (await api.raw(path, { method: "PUT", body: file, headers, limit: null })).json()) as DraftPaths;
    },
    onSuccess: ({ files, left_out }) => {
      done(`The draft has ${files.length} files now.${left_out.length ? ` Left out: ${left_out.join(", ")}.` : ""}`);
      void cache.invalidateQueries({ queryKey: keys.content(name) });
    },
    onError: (error) => failed("The archive was not taken", error),
    onSettled: () => {
      setChosen(null);
      resetInput.current?.();
    },
  });
  const fetchZip = () =>
    download(api, path, `${name}-draft.zip`).catch((error) => failed("The draft was not downloaded", error));
  return (
    <>
      <FileButton accept="application/zip,.zip" onChange={setChosen} resetRef={resetInput}>
        {({ onClick }) => (
          <Menu position="bottom-end" width={240}>
            <Menu.Target>
              <Button variant="default" leftSection={<IconFileZip size={16} aria-hidden />} loading={upload.isPending}>
                Archive
              </Button>
            </Menu.Target>
            <Menu.Dropdown>
              <Menu.Item
                leftSection={<IconDownload size={16} aria-hidden />}
                disabled={empty}
                onClick={() => void fetchZip()}
              >
                Download the draft
              </Menu.Item>
              {can("content.write") && (
                <Menu.Item leftSection={<IconUpload size={16} aria-hidden />} onClick={onClick}>
                  Upload…
                  <Text size="xs" c="dimmed">
                    The zip archive of a Rasa project
                  </Text>
                </Menu.Item>
              )}
            </Menu.Dropdown>
          </Menu>
        )}
      </FileButton>
      <Confirm
        title="Replace the draft?"
        confirmLabel="Replace draft"
        dangerous={!empty}
        opened={chosen !== null}
        busy={upload.isPending}
        onCancel={() => {
          setChosen(null);
          resetInput.current?.();
        }}
        onConfirm={() => chosen && upload.mutate(chosen)}
      >
        <List size="sm">
          <List.Item>All files of the draft give way to those of {chosen?.name}.</List.Item>
          <List.Item>Published revisions stay as they are.</List.Item>
        </List>
      </Confirm>
    </>
  );
}
