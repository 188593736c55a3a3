import { notifications } from "@mantine/notifications";
import { ApiError, explain } from "@/api/problem";

export function done(message: string): void {
  notifications.show({ message, color: "green" });
}

/** Failures stay until somebody has read them. */
export function failed(title: string, error: unknown): void {
  const id = error instanceof ApiError && error.requestId ? ` (request ${error.requestId})` : "";
  notifications.show({ title, message: explain(error) + id, color: "red", autoClose: false });
}
