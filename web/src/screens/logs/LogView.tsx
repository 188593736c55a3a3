import { Button, Group, Text } from "@mantine/core";
import { IconArrowDown, IconDownload } from "@tabler/icons-react";
import { useEffect, useRef, useState } from "react";
import { useApi } from "@/api/context";
import { save } from "@/api/download";
import { streamInit } from "@/api/live";
import { follow } from "@/api/sse";
import { numbered, toneOfLine } from "@/domain/log";
import { ErrorPanel } from "@/ui/ErrorPanel";
import { failed } from "@/ui/notify";
import { Section } from "@/ui/Page";
import { ToneBadge } from "@/ui/Tone";
import classes from "./LogView.module.css";
import { type FollowedLog, KEPT_LINES, type LogState } from "./useLog";

const STATES: Record<LogState, { tone: "busy" | "good" | "warning" | "idle"; label: string }> = {
  opening: { tone: "idle", label: "Opening" },
  following: { tone: "busy", label: "Live" },
  broken: { tone: "warning", label: "Reconnecting" },
  ended: { tone: "good", label: "Complete" },
};

interface Props {
  /** Address of the log, and the name of the file when it is downloaded. */
  path: string;
  file: string;
  label: string;
  followed: FollowedLog;
}

/** A log; it follows the end until somebody scrolls up. */
export function LogView({ path, file, label: name, followed }: Props) {
  const { log, state, error } = followed;
  const box = useRef<HTMLDivElement>(null);
  const [following, setFollowing] = useState(true);

  // biome-ignore lint/correctness/useExhaustiveDependencies: every new line moves the end
  useEffect(() => {
    if (following && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [log, following]);

  const { tone, label } = STATES[state];
  return (
    <Section
      title="Log"
      flush
      actions={
        <Group gap="sm">
          <ToneBadge tone={tone}>{label}</ToneBadge>
          <DownloadLog path={path} file={file} disabled={!log.lines.length} />
        </Group>
      }
    >
      {error !== null && <ErrorPanel error={error} title="The log cannot be read" />}
      <div className={classes.frame}>
        <div
          ref={box}
          className={classes.log}
          role="log"
          aria-label={name}
          // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region has to be reachable by keyboard
          tabIndex={0}
          onScroll={({ currentTarget: { scrollTop, clientHeight, scrollHeight } }) =>
            setFollowing(scrollTop + clientHeight > scrollHeight - 24)
          }
        >
          {log.dropped > 0 && (
            <Text size="xs" className={classes.dropped}>
              {log.dropped.toLocaleString("en")} earlier lines are not shown: the page keeps the last{" "}
              {KEPT_LINES.toLocaleString("en")}. Download the log to see everything.
            </Text>
          )}
          {numbered(log).map(({ number, line }) => (
            <div key={number} className={classes.line} data-tone={toneOfLine(line)}>
              <span className={classes.number} aria-hidden>
                {number}
              </span>
              <span className={classes.text}>{line || " "}</span>
            </div>
          ))}
          {!log.lines.length && error === null && (
            <Text size="sm" className={classes.dropped}>
              {state === "ended" ? "It wrote nothing." : "The first lines come when the engine starts."}
            </Text>
          )}
        </div>
        {!following && (
          <Button
            className={classes.follow}
            size="xs"
            radius="xl"
            leftSection={<IconArrowDown size={14} aria-hidden />}
            onClick={() => setFollowing(true)}
          >
            Follow the end
          </Button>
        )}
      </div>
    </Section>
  );
}

function DownloadLog({ path, file, disabled }: { path: string; file: string; disabled: boolean }) {
  const api = useApi();
  const [busy, setBusy] = useState(false);
  const start = async () => {
    setBusy(true);
    try {
      save(new Blob(await wholeLog(), { type: "text/plain" }), file);
    } catch (error) {
      failed("The log was not downloaded", error);
    } finally {
      setBusy(false);
    }
  };
  /** The log from its first line up to now: to the end, or to the first second without a line. */
  const wholeLog = async () => {
    const lines: string[] = [];
    const stop = new AbortController();
    let silence = setTimeout(() => stop.abort(), 10_000);
    await follow({
      signal: stop.signal,
      open: (lastId, signal) => api.open(path, streamInit(lastId, signal)),
      onEvent: ({ event, data }) => {
        clearTimeout(silence);
        silence = setTimeout(() => stop.abort(), 1_000);
        if (event === "line") lines.push(`${(JSON.parse(data) as { line: string }).line}\n`);
        return event === "end";
      },
    });
    clearTimeout(silence);
    return lines;
  };
  return (
    <Button
      size="xs"
      variant="default"
      leftSection={<IconDownload size={14} aria-hidden />}
      loading={busy}
      disabled={disabled}
      onClick={() => void start()}
    >
      Download
    </Button>
  );
}
