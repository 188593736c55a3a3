import { Alert, Button, Code, Group, List, Stack, Text } from "@mantine/core";
import { IconAlertTriangle, IconRefresh } from "@tabler/icons-react";
import { ApiError, explain } from "@/api/problem";

interface Props {
  error: unknown;
  title?: string;
  onRetry?: () => void;
  retryLabel?: string;
}

/** What went wrong, the id under which the logs know it, and the way to try again. */
export function ErrorPanel({ error, title, onRetry, retryLabel = "Try again" }: Props) {
  const known = error instanceof ApiError ? error : null;
  return (
    <Alert
      color="red"
      variant="light"
      role="alert"
      icon={<IconAlertTriangle aria-hidden />}
      title={title ?? known?.title ?? "This did not work"}
    >
      <Stack gap="xs" align="flex-start">
        <Text size="sm">{explain(error)}</Text>
        {known && known.fields.length > 0 && (
          <List size="sm">
            {known.fields.map(({ field, message }) => (
              <List.Item key={`${field} ${message}`}>
                <Code>{field}</Code> {message}
              </List.Item>
            ))}
          </List>
        )}
        <Group gap="md">
          {onRetry && (
            <Button size="xs" variant="default" leftSection={<IconRefresh size={14} aria-hidden />} onClick={onRetry}>
              {retryLabel}
            </Button>
          )}
          {known?.requestId && (
            <Text size="xs">
              Request <Code>{known.requestId}</Code>
            </Text>
          )}
        </Group>
      </Stack>
    </Alert>
  );
}
