// Sends one call of each kind to the host given as the first argument, with the write key given as the second.
import { Analytics } from "@segment/analytics-node";

const [host, writeKey] = process.argv.slice(2);
const errors = [];
const analytics = new Analytics({ host, writeKey, flushAt: 4, maxRetries: 2 });
analytics.on("error", (error) => errors.push(String(error.reason ?? error.code)));

const timestamp = new Date("2026-11-22T09:59:00.000Z");
const shared = { userId: "u1", timestamp };
analytics.identify({ ...shared, traits: { email: "Ann@Example.org" } });
analytics.track({ ...shared, event: "Order Completed", properties: { revenue: 19.99, currency: "GBP" } });
analytics.page({ ...shared, name: "Home" });
analytics.screen({ ...shared, name: "Main" });
analytics.group({ ...shared, groupId: "g1", traits: { name: "Company" } });
analytics.alias({ ...shared, previousId: "a1" });
analytics.track({ anonymousId: "a2", event: "Half a pair \ud800 of surrogates", timestamp });
analytics.track({ anonymousId: "a2", event: "Last", timestamp });

await analytics.closeAndFlush({ timeout: 20_000 });
if (errors.length > 0) {
  console.error(errors.join("\n"));
  process.exitCode = 1;
}
