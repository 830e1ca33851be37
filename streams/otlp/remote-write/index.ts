export type {
  EarlierBody,
  RemoteWriteCounts,
  RemoteWriteOptions,
  RemoteWriteReason,
  RemoteWriteTranslation,
  RemoteWriteVersion,
} from './port.ts';
export { translateRemoteWrite } from './translate.ts';
