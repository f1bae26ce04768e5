"""The gallery and the REST API: one more user of the client. It submits jobs and reads results, and opens no image."""
