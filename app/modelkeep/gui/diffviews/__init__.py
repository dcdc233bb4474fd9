"""Views of what differs, one per kind of content. They get values that were read in a job; they read nothing."""
