import { Code } from "@mantine/core";
import { IconLock } from "@tabler/icons-react";
import { Empty } from "./Empty";
import { LinkButton } from "./LinkButton";
import { Page } from "./Page";

/** 403: what is missing, and who can give it. */
export function Forbidden({ operation }: { operation: string }) {
  return (
    <Page title="Not allowed">
      <Empty icon={IconLock} title="Your roles do not include this page">
        <span>
          It takes the permission <Code>{operation}</Code>. Ask an administrator of this Studio for a role that has it.
        </span>
        <LinkButton to="/assistants">Go to the assistants</LinkButton>
      </Empty>
    </Page>
  );
}
