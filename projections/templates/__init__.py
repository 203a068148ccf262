"""What is said in mails in the stead of the templates that are shipped."""
