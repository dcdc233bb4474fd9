"""The dialogs, one family per file. They ask and show; the work they lead to is a job that others start."""
