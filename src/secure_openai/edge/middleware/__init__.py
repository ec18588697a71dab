"""What every request passes, outermost first, one file each: see `app.create_app`."""
