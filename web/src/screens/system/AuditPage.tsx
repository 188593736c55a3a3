import { Code, Table, Text } from "@mantine/core";
import { IconClipboardList } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useApi } from "@/api/context";
import { audit } from "@/api/queries";
import { Allowed } from "@/auth/permissions";
import { exact } from "@/domain/time";
import { Empty } from "@/ui/Empty";
import { Loaded } from "@/ui/Loaded";
import { More } from "@/ui/More";
import { Section } from "@/ui/Page";

export function AuditPage() {
  return (
    <Allowed to="audit.read">
      <Entries />
    </Allowed>
  );
}

function Entries() {
  const query = useInfiniteQuery(audit(useApi()));
  return (
    <Section flush>
      <Loaded query={query}>
        {(list) =>
          list.length ? (
            <>
              <Table verticalSpacing="sm" horizontalSpacing="lg" miw={760}>
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th>When</Table.Th>
                    <Table.Th>Who</Table.Th>
                    <Table.Th>Operation</Table.Th>
                    <Table.Th>On</Table.Th>
                    <Table.Th>Outcome</Table.Th>
                    <Table.Th>Request</Table.Th>
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {list.map(({ id, at, who, operation, target, outcome, request_id }) => (
                    <Table.Tr key={id}>
                      <Table.Td>{exact(at)}</Table.Td>
                      <Table.Td>{who}</Table.Td>
                      <Table.Td>
                        <Code>{operation}</Code>
                      </Table.Td>
                      <Table.Td>{target}</Table.Td>
                      <Table.Td>{outcome}</Table.Td>
                      <Table.Td>
                        <Text size="xs" ff="monospace" c="dimmed">
                          {request_id}
                        </Text>
                      </Table.Td>
                    </Table.Tr>
                  ))}
                </Table.Tbody>
              </Table>
              <More list={query} />
            </>
          ) : (
            <Empty icon={IconClipboardList} title="Nothing is recorded yet">
              Every change that somebody makes through the Studio appears here.
            </Empty>
          )
        }
      </Loaded>
    </Section>
  );
}
