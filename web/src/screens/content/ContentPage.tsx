import { Alert, Group, Text } from "@mantine/core";
import { IconFileText } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import { useApi } from "@/api/context";
import { content as contentQuery } from "@/api/queries";
import type { Content } from "@/api/types";
import { Allowed, useCan } from "@/auth/permissions";
import { useAssistant } from "@/screens/assistant/useAssistant";
import { Ago } from "@/ui/Ago";
import { Empty } from "@/ui/Empty";
import { Loaded } from "@/ui/Loaded";
import { Section } from "@/ui/Page";
import { ListSkeleton } from "@/ui/PageSkeleton";
import { ToneBadge } from "@/ui/Tone";
import { ArchiveActions } from "./ArchiveActions";
import classes from "./Content.module.css";
import { FileTree } from "./FileTree";
import { NewFile } from "./NewFile";
import { Publish } from "./Publish";
import { Revisions } from "./Revisions";

const route = getRouteApi("/assistants/$name/content");
const FileEditor = lazy(() => import("./FileEditor").then(({ FileEditor }) => ({ default: FileEditor })));

export function ContentPage() {
  const { name, source } = useAssistant();
  const query = useQuery(contentQuery(useApi(), name));
  return (
    <Allowed to="content.read">
      {source === "studio" ? (
        <Loaded query={query}>{(content) => <Editor name={name} content={content} />}</Loaded>
      ) : (
        <Alert color="gray" title="Its content is elsewhere">
          This assistant is described by its resource. Change it where it was applied from.
        </Alert>
      )}
    </Allowed>
  );
}

function Editor({ name, content }: { name: string; content: Content }) {
  const { file } = route.useSearch();
  const can = useCan();
  const { draft, published } = content;
  const paths = draft.files.map(({ path }) => path);
  const open = file && paths.includes(file) ? file : undefined;
  return (
    <>
      <Group justify="space-between">
        <PublishedState content={content} />
        <Group gap="sm">
          <Revisions name={name} />
          <ArchiveActions name={name} empty={!paths.length} />
          {can("content.publish") && <Publish name={name} changed={draft.changed} first={published === null} />}
        </Group>
      </Group>
      <Section flush>
        <div className={classes.columns}>
          <div className={classes.files}>
            <FileTree name={name} paths={paths} open={open} />
            {can("content.write") && <NewFile name={name} paths={paths} />}
          </div>
          <div className={classes.editor}>
            {open ? (
              <Suspense fallback={<ListSkeleton rows={8} height={22} />}>
                <FileEditor key={open} name={name} path={open} readOnly={!can("content.write")} />
              </Suspense>
            ) : (
              <Empty icon={IconFileText} title={paths.length ? "Choose a file" : "There are no files yet"}>
                {paths.length
                  ? "Its text opens here. Ctrl+S saves; nothing is trained before you publish."
                  : "Add a file, or upload the zip archive of a Rasa project: domain.yml, config.yml and a data folder."}
              </Empty>
            )}
          </div>
        </div>
      </Section>
    </>
  );
}

function PublishedState({ content: { draft, published } }: { content: Content }) {
  if (!published) return <ToneBadge tone="idle">Never published</ToneBadge>;
  return (
    <Group gap="sm">
      <ToneBadge tone={draft.changed ? "warning" : "good"}>
        {draft.changed ? "Unpublished changes" : "Published"}
      </ToneBadge>
      <Text size="sm" c="dimmed">
        Revision {published.revision} by {published.published_by}, <Ago at={published.published_at} />
        {published.message && ` – ${published.message}`}
      </Text>
    </Group>
  );
}
