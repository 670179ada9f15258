# Check disaster recovery status
kubectl get neo4jdisasterrecovery cross-region-dr -o yaml

# View replication lag
kubectl describe neo4jdisasterrecovery cross-region-dr

# Monitor cluster health
kubectl get neo4jenterprisecluster primary-cluster -o yaml
kubectl get neo4jenterprisecluster secondary-cluster -o yaml
