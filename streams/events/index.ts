export { eventRoutes } from './http.ts';
export { type ListedEvent, listEvents } from './list-events.ts';
export { eventsApiModule, eventsModule, modules } from './module.ts';
export { createRelay, type Relay, toMessage } from './relay.ts';
