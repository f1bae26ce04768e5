"""What a search looks like: thumbnails, a sheet as an image file, a row of pictures as HTML. Needs Pillow alone."""
