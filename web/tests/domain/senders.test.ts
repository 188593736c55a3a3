import { expect, test } from "vitest";
import { isTrial, senderName } from "@/domain/senders";

test("a trial is called by what its person typed", () => {
  expect(senderName("trial:b6a0d225-817f:try-57cde9d4")).toBe("try-57cde9d4");
  expect(isTrial("trial:b6a0d225-817f:try-57cde9d4")).toBe(true);
});

test.each(["anna", "trial", "trial:x", "user:trial:a:b"])("%s is nobody's trial", (sender) => {
  expect(senderName(sender)).toBe(sender);
  expect(isTrial(sender)).toBe(false);
});
