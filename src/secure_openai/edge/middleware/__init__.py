"""What every request passes, outermost first, one file each: see `app.create_app`.

What has nothing to do once the answer is there returns what the next one returns, to be awaited by
whoever called it, instead of awaiting that itself: a coroutine for each layer and each message
would be entered again whenever something is waited for.
"""
