export { type BackupService, createBackupService } from './backup-service.ts';
export { backupModule } from './module.ts';
export { type RestoreReport, type RestoreRequest, restoreBackup } from './restore-backup.ts';
export { type BackupDeps, type TakenBackup, takeBackup } from './take-backup.ts';
export { verifyBackup, verifyRestored } from './verify-backup.ts';
