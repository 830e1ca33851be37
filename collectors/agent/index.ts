export { type Agent, type AgentOptions, createAgent } from './agent.ts';
export { KubeletConfig } from './kubelet/index.ts';
export { ProbeTarget } from './probe.ts';
export { parseSnmpConfig, SnmpConfig } from './snmp/index.ts';
