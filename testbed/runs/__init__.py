"""What a user can run: one package for each verb, with its plan, session, figures and report."""
