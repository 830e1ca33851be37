export { type Agent, type AgentOptions, createAgent } from './agent.ts';
export { ProbeTarget } from './probe.ts';
