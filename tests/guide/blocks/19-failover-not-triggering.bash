kubectl get networkpolicy -n neo4j-production
