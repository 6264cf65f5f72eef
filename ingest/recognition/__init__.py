"""Text recognition (OCR): pages that are pictures, read one by one by an engine that is on this machine."""
