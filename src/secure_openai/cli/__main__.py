"""Run the command line as a module."""

from secure_openai.cli import main

main()
