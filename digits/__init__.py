"""What page, fine-tuning and notebook share: one module a task, none aware of Streamlit."""
