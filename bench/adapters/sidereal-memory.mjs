// Sidereal on its memory store, every setting at its default.
import { openSidereal } from "./sidereal.mjs";

export default {
  name: "sidereal",
  store: "memory",
  how: "memory store, worker at defaults",
  bulkInFlight: 4,
  async open() {
    const queue = await openSidereal("memory");
    return {
      ...queue,
      async unfinished() {
        if (queue.busy()) return true;
        const { pending, running } = await queue.service.counts();
        return pending + running > 0;
      },
    };
  },
};
