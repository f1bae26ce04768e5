"""What is left out of every library unless a setting says otherwise. Plain names, for settings and rules alike."""

HIDDEN = ".*"
# What systems and programs keep between people's photos. A name without a special character is compared without regard
# to case, because file systems that make these names do so.
DEFAULT_IGNORE = (
    # Hidden: .thumbnails, .Trash-1000, .dtrash, .stversions, .picasaoriginals, .zfs and so on.
    HIDDEN,
    # Recycle bins, snapshots and thumbnails of Synology, QNAP, NetApp, Windows, Linux and macOS.
    *("@eaDir", "#recycle", "#snapshot", "@tmp", "@Recycle", "@Recently-Snapshot", "~snapshot", "@__thumb"),
    *("$RECYCLE.BIN", "RECYCLER", "System Volume Information", "lost+found", "__MACOSX"),
    *("Thumbs.db", "desktop.ini", "ehthumbs.db", "FOUND.[0-9][0-9][0-9]/"),
    # Derivatives of catalogues: Apple's Photos, iPhoto and Aperture, Lightroom, Capture One.
    *("**/*.photoslibrary/resources/", "**/*.photoslibrary/scopes/", "*.lrdata/"),
    *(
        "**/*.photolibrary/Thumbnails/",
        "**/*.photolibrary/Previews/",
        "**/*.aplibrary/Thumbnails/",
        "**/*.aplibrary/Previews/",
    ),
    *("**/*.cocatalog/Cache/", "**/CaptureOne/Cache/"),
    # Caches of servers: Nextcloud, Immich (by the id of a user), PhotoPrism.
    *("**/appdata_*/preview/", "files_trashbin/", "files_versions/"),
    "**/thumbs/????????-????-????-????-????????????/",
    "**/storage/cache/",
)
