export { KubeletConfig } from './kubelet-client.ts';
export { startKubelet } from './start-kubelet.ts';
