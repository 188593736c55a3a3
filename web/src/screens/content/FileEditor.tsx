import { ActionIcon, Alert, Button, Group, Menu, Text } from "@mantine/core";
import { IconDeviceFloppy, IconDots, IconTrash } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { useApi } from "@/api/context";
import { keys } from "@/api/queries";
import { Confirm } from "@/ui/Confirm";
import { ErrorPanel } from "@/ui/ErrorPanel";
import { done, failed } from "@/ui/notify";
import { ListSkeleton } from "@/ui/PageSkeleton";
import { CodeEditor } from "./CodeEditor";
import classes from "./Content.module.css";
import { deleteFile } from "./fileApi";
import { forget } from "./unsaved";
import { type OpenFile, useFile } from "./useFile";

interface Props {
  name: string;
  path: string;
  readOnly: boolean;
}

export function FileEditor({ name, path, readOnly }: Props) {
  const file = useFile(name, path);
  useLeaveWarning(file.dirty);
  return (
    <>
      <Group justify="space-between" className={classes.bar} wrap="nowrap">
        <Text size="sm" ff="monospace" truncate>
          {path}
        </Text>
        <Group gap="sm" wrap="nowrap">
          <Text size="xs" c="dimmed" role="status">
            {readOnly ? "You may read it" : file.dirty ? "Not saved" : file.text !== null ? "Saved" : ""}
          </Text>
          {!readOnly && (
            <>
              <Button
                size="xs"
                leftSection={<IconDeviceFloppy size={15} aria-hidden />}
                disabled={!file.dirty || file.conflict}
                loading={file.saving}
                onClick={() => void file.save()}
              >
                Save
              </Button>
              <FileActions name={name} path={path} />
            </>
          )}
        </Group>
      </Group>
      {file.conflict && <Conflict file={file} />}
      {file.error !== null && (
        <div className={classes.problem}>
          <ErrorPanel error={file.error} onRetry={() => void (file.text === null ? file.reload() : file.save())} />
        </div>
      )}
      {file.text === null ? (
        file.error === null && <ListSkeleton rows={8} height={22} />
      ) : (
        <CodeEditor
          key={file.version}
          label={`Text of ${path}`}
          text={file.text}
          path={path}
          readOnly={readOnly}
          onChange={file.edit}
          onSave={() => void file.save()}
        />
      )}
    </>
  );
}

function Conflict({ file }: { file: OpenFile }) {
  return (
    <Alert color="orange" role="alert" title="Somebody else has changed this file" radius={0}>
      <Text size="sm" mb="sm">
        Your text is not saved. Copy what you need before you load theirs.
      </Text>
      <Group gap="sm">
        <Button size="xs" variant="default" onClick={() => void file.reload()}>
          Load theirs, drop mine
        </Button>
        <Button size="xs" variant="default" loading={file.saving} onClick={() => void file.overwrite()}>
          Save mine over theirs
        </Button>
      </Group>
    </Alert>
  );
}

const route = getRouteApi("/assistants/$name/content");

function FileActions({ name, path }: { name: string; path: string }) {
  const api = useApi();
  const cache = useQueryClient();
  const navigate = route.useNavigate();
  const [asked, setAsked] = useState(false);
  const remove = useMutation({
    mutationFn: () => deleteFile(api, name, path),
    onSuccess: () => {
      forget(name, path);
      done(`${path} is deleted from the draft.`);
      void cache.invalidateQueries({ queryKey: keys.content(name) });
      void navigate({ search: {} });
    },
    onError: (error) => failed(`${path} was not deleted`, error),
    onSettled: () => setAsked(false),
  });
  return (
    <>
      <Menu position="bottom-end">
        <Menu.Target>
          <ActionIcon variant="subtle" color="gray" aria-label={`More actions for ${path}`}>
            <IconDots size={16} aria-hidden />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item color="red" leftSection={<IconTrash size={15} aria-hidden />} onClick={() => setAsked(true)}>
            Delete this file…
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <Confirm
        title={`Delete ${path}?`}
        confirmLabel="Delete file"
        dangerous
        opened={asked}
        busy={remove.isPending}
        onCancel={() => setAsked(false)}
        onConfirm={() => remove.mutate()}
      >
        It goes from the draft. Published revisions keep it.
      </Confirm>
    </>
  );
}

/** Asks before a tab with unsaved text is closed. */
function useLeaveWarning(dirty: boolean): void {
  useEffect(() => {
    if (!dirty) return;
    const warn = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener("beforeunload", warn);
    return () => window.removeEventListener("beforeunload", warn);
  }, [dirty]);
}
