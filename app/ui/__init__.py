"""What the page is made of. Gradio lives here and in `app/server.py` only."""
