-- Metering marks hours whose facts could not be computed, with the partition that a further try needs.
ALTER TABLE metered
  ADD COLUMN IF NOT EXISTS partition UInt16,
  ADD COLUMN IF NOT EXISTS refused String COMMENT 'error code when the facts of the hour could not be computed, empty otherwise; tried again in every run, and no invoice is made over it';
