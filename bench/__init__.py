"""Speed and cost, measured against something in the same run; nothing here passes or fails."""
