/** assertEnqueued, refuteEnqueued, enqueued: what they match, and what they say when they fail. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { task } from "../../src/index.ts";
import {
  assertEnqueued,
  createTestQueue,
  enqueued,
  forgetTask,
  refuteEnqueued,
  type TestQueue,
} from "../../src/testing/index.ts";

const mail = task("assertions.mail", (input: { to: string; parts: number[]; body?: { html: string } }) => input.to);
const other = task("assertions.other", () => 1);

describe("assertions", () => {
  let queue: TestQueue;
  before(async () => {
    queue = await createTestQueue();
    await queue.enqueue(mail, { to: "ada", parts: [1, 2], body: { html: "<p>" } }, { priority: 5, tags: ["a", "b"] });
    await queue.enqueue(mail, { to: "bob", parts: [] }, { queue: "slow", key: "bob", delay: "1h" });
    await queue.enqueue(mail, { to: "bob", parts: [] }, { metadata: { tenant: "x", plan: { size: 3 } } });
  });
  after(async () => {
    await queue.close();
    [mail, other].forEach(forgetTask);
  });

  it("matches parts of the input, at any depth", async () => {
    const [found] = await assertEnqueued(queue, mail, { input: { to: "ada", body: { html: "<p>" } } });
    assert.equal(found?.priority, 5);
    await assertEnqueued(queue, "assertions.mail", { input: { parts: [1, 2] }, count: 1 });
    await assertEnqueued(queue, mail, { input: ({ to }: { to: string }) => to.startsWith("b"), count: 2 });
    await refuteEnqueued(queue, mail, { input: { parts: [1] } });
    await refuteEnqueued(queue, mail, { input: { to: "ada", cc: "eve" } });
  });

  it("matches queue, priority, key, tags, metadata, status and time", async () => {
    await assertEnqueued(queue, mail, { queue: "slow", key: "bob", status: "scheduled", count: 1 });
    await assertEnqueued(queue, mail, { tags: ["b"], priority: 5, count: 1 });
    await assertEnqueued(queue, mail, { metadata: { plan: { size: 3 } }, count: 1 });
    const hour = queue.clock.wall() + 3_600_000;
    await assertEnqueued(queue, mail, { at: new Date(hour), count: 1 });
    await assertEnqueued(queue, mail, { at: hour - 500, within: "1s", count: 1 });
    await assertEnqueued(queue, mail, { within: "1m", count: 2 });
    await refuteEnqueued(queue, mail, { at: hour + 1 });
    await refuteEnqueued(queue, other);
    assert.equal((await enqueued(queue, mail)).length, 3);
  });

  it("says what was found instead", async () => {
    await assert.rejects(assertEnqueued(queue, mail, { queue: "fast" }), (error: { code: string; message: string }) => {
      assert.equal(error.code, "ASSERTION_FAILED");
      assert.match(error.message, /of task assertions\.mail like \{"queue":"fast"\} none was enqueued/u);
      assert.equal(error.message.match(/\n {2}assertions\.mail \(/gu)?.length, 3);
      assert.match(error.message, /queue slow, pending, input .*key bob/u);
      return true;
    });
    await assert.rejects(assertEnqueued(queue, mail, { count: 2 }), /3, not 2, was enqueued/u);
    await assert.rejects(assertEnqueued(queue, other), /none was enqueued. Found other tasks: assertions\.mail \(3\)/u);
    await assert.rejects(
      refuteEnqueued(queue, mail, { tags: ["a"] }),
      /1 of task assertions\.mail like .*enqueued:\n/u,
    );
    const empty = await createTestQueue();
    await assert.rejects(assertEnqueued(empty, mail), /Nothing at all was enqueued/u);
    await empty.close();
  });
});
