import { IconMapOff } from "@tabler/icons-react";
import { Empty } from "./Empty";
import { LinkButton } from "./LinkButton";
import { Page } from "./Page";

export function NotFound() {
  return (
    <Page title="Not found">
      <Empty icon={IconMapOff} title="There is nothing at this address">
        It may have been deleted, or it belongs to somebody else.
        <LinkButton to="/assistants">Go to the assistants</LinkButton>
      </Empty>
    </Page>
  );
}
